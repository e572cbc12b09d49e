"""Processes of ours in a container's control groups: nothing of them is needed in its image, or seen inside it."""
