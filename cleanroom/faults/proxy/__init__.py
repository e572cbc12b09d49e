"""The transparent proxy: connections of a container led through a process of ours, inside the container's network."""
