"""What operators are told of many leads together: one function for each report."""
