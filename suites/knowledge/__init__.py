"""Questions over the whole SQuAD sample: what retrieval, tuning and both together bring."""
