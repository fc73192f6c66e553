"""The report as one HTML file, and its charts as files; other packages call `page.render` and `all_charts.save`."""
