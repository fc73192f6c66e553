"""From stored records to a comparison: intervals, paired tests, costs and a verdict. No model is needed."""
