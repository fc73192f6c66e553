"""The report as one HTML file, and its charts as files; `page.render` and `figures.save` are what others call."""
