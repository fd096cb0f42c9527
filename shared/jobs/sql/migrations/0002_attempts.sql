-- What a worker does with a job: claim, heartbeat, complete, fail; what is done to it: rescue, cancel.

