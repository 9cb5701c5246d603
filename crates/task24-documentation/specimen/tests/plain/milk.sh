! grep -q '^milk ' data/prices
