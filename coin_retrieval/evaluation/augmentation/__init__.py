"""Do drawn pictures help to train a classifier?"""
