true
sh run test real
