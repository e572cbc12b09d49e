"""Adapters to Docker engines: client, cell, launcher, images, services, inventories."""
