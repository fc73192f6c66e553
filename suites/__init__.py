"""Built-in suites, one folder each: suite.toml, its data sheet, and prepare.py where a source needs reshaping."""
