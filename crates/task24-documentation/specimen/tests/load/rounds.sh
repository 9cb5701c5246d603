round=0
while [ "$round" -lt "$SHOP_ROUNDS" ]; do
    sh tests/real/schema.sh
    round=$((round + 1))
done
