true
sh run report
