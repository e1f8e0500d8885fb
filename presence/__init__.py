"""Who is here: counts of people in rooms, held in leases that expire by themselves."""
