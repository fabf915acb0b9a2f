"""From a query's vectors to the nearest cases, and why each came where it did."""
