"""A sentiment task to learn, and published measures of stereotypes before and after."""
