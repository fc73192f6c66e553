"""Yes or no: does a clause of a privacy policy answer a question?"""
