"""The same questions before and after facts change: re-index, or train again?"""
