"""What is built for hosts without Ansible, installed and used there."""
