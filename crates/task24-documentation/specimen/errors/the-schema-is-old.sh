sh run up && echo 1_prices.sql >.state/schema
sh run test real
