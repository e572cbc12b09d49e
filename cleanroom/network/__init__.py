"""Adapters to the kernel's network: bridges, firewall, resolver, proof, namespaces."""
