"""The service core: async, driver-free, told the time and the dice by its caller."""
