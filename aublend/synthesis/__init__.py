"""Labelled expression data: who shows what, when and how strongly, written as the data set `synthetic`."""

from aublend.synthesis.plan import ExpressionPlan, identities_of
from aublend.synthesis.take import Take, perform
from aublend.synthesis.writing import synthesise_expressions

__all__ = ["ExpressionPlan", "Take", "identities_of", "perform", "synthesise_expressions"]
