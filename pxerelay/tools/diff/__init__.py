"""Two configurations compared by what they decide: which clients move from which servers to which.

`compare` has the way in; `rules`, `unlisted` and `settings` find the parts of a `values.Difference`;
`outline` and `show` put it into words.
"""
