/* The obvious emergency stop, which is wrong: a worker looks at a flag, and then starts its attempt.
 * Between the two, Stop may set the flag and return. SPIN finds the violated assertion. */

#define WORKERS  2
#define ATTEMPTS 3

bool flag = false;     /* set by Stop */
bool returned = false; /* Stop has returned */

active [WORKERS] proctype worker()
{
	byte n = 0;
	do
	:: n < ATTEMPTS ->
		n++;
		if
		:: !flag ->                /* look: "running" */
			assert(!returned)  /* start */
		:: flag -> break           /* refused, and the call ends */
		fi
	:: n == ATTEMPTS -> break
	od
}

active proctype stop()
{
	flag = true;
	returned = true
}
