// The protocol of the stream: apply is pure, connect talks.

// apply returns the next state, or null when a frame does not follow and a snapshot is needed.
export function apply(state, kind, frame) {
	if (kind === 'snapshot') return { seq: frame.seq, topics: frame.topics };
	if (frame.from !== state.seq) return null;
	if (kind === 'events') return { ...state, seq: frame.seq };
	const topics = { ...state.topics };
	for (const [name, change] of Object.entries(frame.topics)) {
		const t = { ...topics[name] };
		for (const [k, v] of Object.entries(change)) {
			if (v === null) delete t[k];
			else t[k] = v;
		}
		topics[name] = t;
	}
	return { seq: frame.seq, topics };
}

// connect keeps a stream open. It tells on.frame(kind, frame, state) and on.status(change).
export function connect(on) {
	let source, state, epoch, timer, heard, wait = 1000, gapless = false;

	function open() {
		clearTimeout(timer);
		close();
		const last = gapless && state ? '?last=' + epoch + '-' + state.seq : '';
		source = new EventSource('api/v1/stream' + last);
		heard = Date.now();
		on.status({ state: 'connecting' });
		for (const kind of ['hello', 'snapshot', 'delta', 'events', 'bye']) source.addEventListener(kind, e => take(kind, JSON.parse(e.data)));
		source.onerror = () => retry('the connection broke');
	}

	function take(kind, frame) {
		heard = Date.now();
		if (kind === 'hello') {
			if (frame.epoch !== epoch) gapless = false;
			if (!gapless) state = { seq: frame.seq, topics: {} };
			epoch = frame.epoch;
			on.status({ state: 'live', interval: frame.interval_ms, epoch });
			return;
		}
		if (kind === 'bye') return retry(frame.reason, frame.retry_ms);
		const next = apply(state, kind, frame);
		if (!next) {
			gapless = false;
			return retry('a frame was missed', 100);
		}
		state = next;
		gapless = true;
		wait = 1000;
		on.frame(kind, frame, state);
	}

	function retry(cause, ms) {
		close();
		wait = Math.min(wait * 2, 30000);
		const at = Date.now() + (ms ?? wait * (0.75 + Math.random() / 4));
		on.status({ state: 'reconnecting', cause, at });
		clearTimeout(timer);
		timer = setTimeout(open, at - Date.now());
		on.check();
	}

	function close() {
		if (source) source.close();
		source = null;
	}

	setInterval(() => source && Date.now() - heard > 35000 && retry('nothing was heard for 35 s'), 1000);
	let hide;
	document.addEventListener('visibilitychange', () => {
		clearTimeout(hide);
		if (document.hidden) hide = setTimeout(() => { close(); clearTimeout(timer); on.status({ state: 'reconnecting', cause: 'the page was hidden' }); }, 30000);
		else if (!source) open();
	});
	open();
	return { now: open };
}
