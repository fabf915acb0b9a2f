"""Conformance suites and tiny real models: does your backend keep its role's promises?"""
