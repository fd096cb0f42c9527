"""Does a column know the future? Three kinds of evidence, from proof to suspicion.

1. `recompute`: a function is run on prefixes of history and on histories whose future was changed. A difference in
   the past is a proof; agreement proves the cuts that were tried.
2. `vintages`: the same column as it was at two moments. A value that changed afterwards is a proof.
3. `column`: nothing but the column and the symbol's bars. Signatures of full-sample estimation and dependence on bars
   that had not happened yet: strong statistical evidence with a stated rate of false alarms.
"""
