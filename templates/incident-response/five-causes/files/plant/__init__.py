"""The order desk: what runs on its machine in each hour."""
