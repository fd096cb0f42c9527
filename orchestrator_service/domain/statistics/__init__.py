"""Formulas of selection under luck; numpy and scipy only.

* `trades`       SQN, SQN100, profit factor of single trades
* `sharpe`       PSR, MinTRL, expected maximum, DSR, what a holdout can confirm
* `significance` HAC t and day permutation: is this one series real?
* `bootstrap`    stationary-bootstrap max-t, Romano-Wolf step-down: is the best of many real?
* `overfitting`  probability of back-test overfitting by combinatorial splits
* `blend`        inverse-volatility weights, greedy diverse choice

Shared policy: returns are simple numbers per period, a Sharpe ratio is per period unless its name says annual,
`kurtosis` is raw (3 = normal), p-values are one-sided against "no better than zero". Inputs are finite: callers
drop or refuse NaN before they come here. Undefined results (no variance, no trades) are NaN, never 0.
Randomness is a `numpy.random.Generator` argument.
"""
