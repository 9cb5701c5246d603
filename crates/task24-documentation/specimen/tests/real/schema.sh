[ "$(cat .state/schema)" = 2_not_below_zero.sql ]
