"""300-W's files: the text of `.pts`, the schema beside it, the folders of the data set."""
