"""Are drawn pictures like real ones, and none of them a copy?"""
