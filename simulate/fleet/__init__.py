"""What the load runs on and what that costs: machines, memory, disk, network, prices; and the plan under uncertainty."""
