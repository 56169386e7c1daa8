"""The command line: one file a command.

Whatever loads torch, scikit-learn, pydantic or matplotlib is imported inside the commands, so that
``--help`` answers at once.
"""
