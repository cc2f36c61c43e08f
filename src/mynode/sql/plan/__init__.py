"""Plans: the nodes of queries, and the statements around them."""

from mynode.sql.plan.queries import *
from mynode.sql.plan.statements import *
