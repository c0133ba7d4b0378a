"""`pxerelay doctor`: what is wrong with a host. Facts are gathered apart from what is made of them."""
