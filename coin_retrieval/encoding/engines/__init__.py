"""How a network runs: number format, folded layers, engines other than torch."""
