"""Documents that are no plain text: PDF, DOCX and the like, converted to Markdown by markitdown."""
