"""How pxerelay is built for those who do not use Ansible: a Debian package, a container image, a release."""
