sh run seed && echo "milk cheap" >>.state/prices
sh run test
