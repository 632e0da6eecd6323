"""What a service does by itself, again and again: a file for each duty, and one loop for all of them.

In: the adapter, a clock and a schedule. Out: work done on every beat, by one process at a time.

Every duty is a frozen class of the same three members (see `duty.Duty`): its `name`, its `cron`, and `run()`,
which does one beat. `schedule` is the loop, `services` says which duties a service has. Two have no beats of
their own, since they must come right before a plan, and so are done by the beat that plans: `inbox_matching`
and `retention`.
"""
