"""One network that denoises a picture, its nuclei's distance maps and its labels together."""
