grep -q '^tea 250$' data/prices
