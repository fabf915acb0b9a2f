"""How good is each way of asking on an archive?"""
