/* The emergency stop of gate/halt. Each lane is one word: a count of attempts that started, and a flag. To start is
 * one atomic addition, which counts the attempt and shows the flag. If the flag is down, that is all. If it is
 * up, the worker loads the view of its scope and goes by it, and takes its count back when refused.
 *
 * Stop stores the view, raises the flags lane by lane, and returns. Before it, the scope may have been plainly
 * running (flags down) or something else that lets attempts pass (flags up already: a ramp, a watch), which may
 * also end at any time: the view is opened, then the flags come down, as in a resume. Commands exclude each
 * other (the tree's lock).
 *
 * Claim: an attempt that is let start was counted before Stop returned. */

#define WORKERS  2
#define ATTEMPTS 3
#define LANES    2

bool flag[LANES];      /* the sign bit of each lane */
byte count[LANES];     /* the rest of the word */
bool stopped = false;  /* the view: lets nothing pass */
bool lock = false;     /* of commands */
bool returned = false; /* Stop has returned */
byte ended = 0;        /* processes */
byte running = 0;      /* attempts counted by lanes when Stop returned, refusals under way included */

active [WORKERS] proctype worker()
{
	byte n = 0;
	byte lane;
	bool seen, late;
	do
	:: n < ATTEMPTS ->
		n++;
		if
		:: lane = 0
		:: lane = 1
		fi;
		atomic { /* one addition: the old value shows the flag */
			seen = flag[lane];
			count[lane]++;
			late = returned
		}
		if
		:: !seen -> assert(!late) /* started */
		:: seen ->
			if
			:: !stopped -> assert(!late) /* started, by the view */
			:: stopped -> count[lane]--; break
			fi
		fi
	:: n == ATTEMPTS -> break
	od;
	ended++
}

/* A ramp, or another reason for the flags to be up, begins and ends. */
active proctype other()
{
	atomic { !lock -> lock = true }
	if
	:: !stopped -> flag[0] = true; flag[1] = true
	:: stopped -> skip
	fi;
	lock = false;
	atomic { !lock -> lock = true }
	if
	:: !stopped -> flag[0] = false; flag[1] = false
	:: stopped -> skip
	fi;
	lock = false;
	ended++
}

active proctype stop()
{
	atomic { !lock -> lock = true }
	stopped = true;
	flag[0] = true;
	flag[1] = true;
	lock = false;
	atomic {
		running = count[0] + count[1];
		returned = true
	};
	ended++
}

/* At the end nothing was started that Stop could not have counted. */
active proctype judge()
{
	(ended == WORKERS + 2);
	assert(count[0] + count[1] <= running)
}
