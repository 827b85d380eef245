"""From trials to a result, and from a result to a table, a plot and a verdict. Nothing here starts anything."""
