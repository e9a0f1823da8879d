"""What the security desk does with a case: takes it, decides it, acts, with a second person where two must want it.

Stands above the access manager's rules (`idp.wam`), which it uses to appoint and end managers; the case itself, its
file, questions, clocks and appeals are `idp.cases`.
"""
