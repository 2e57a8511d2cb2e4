"""Documents other than plain text: PDF, DOCX and the like, converted to Markdown by markitdown."""
