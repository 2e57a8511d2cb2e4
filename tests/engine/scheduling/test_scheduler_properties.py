"""Whatever happens in whatever order: no slot is overbooked, lost or idle, no request is lost."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from virtual_world import World, request

from spadework.engine.scheduling.slot_requests import Capacity, Failed, Model, Policy, Succeeded

BACKENDS = ("koala", "wombat")
MODELS = st.sampled_from([f"{backend}/{name}" for backend in BACKENDS for name in "abc"])
TIERS = st.lists(
    st.lists(MODELS, min_size=1, max_size=3, unique=True).map(" ".join), min_size=1, max_size=2
).map(", ".join)
CAPACITIES = st.builds(
    Capacity,
    slots=st.integers(1, 3),
    per_model=st.none() | st.integers(1, 2),
    exclusive=st.booleans(),
)
OUTCOMES = st.sampled_from([Succeeded(), Failed("request")]) | st.builds(
    Failed,
    st.sampled_from(["backend", "model"]),
    st.just("it broke"),
    st.none() | st.floats(0.0, 50.0),
)


class AnyOrder(RuleBasedStateMachine):
    """Submits, ends, cancels and waits at random; `World` checks that nothing is overbooked."""

    @initialize(koala=CAPACITIES, wombat=CAPACITIES)
    def start(self, koala, wombat):
        policy = Policy(max_wait=20.0, max_suspension=6.0, max_waiting=12)
        self.world = World(policy, koala=koala, wombat=wombat)
        self.submitted, self.gone, self.cancelled = [], set(), set()

    @rule(
        tiers=TIERS,
        session=st.sampled_from("xyz"),
        kind=st.sampled_from(["interactive", "batch"]),
        prefix=st.sampled_from(["", "", "doc", "book"]),
        deadline=st.none() | st.floats(0.0, 30.0),
    )
    def submit(self, tiers, session, kind, prefix, deadline):
        one = request(
            f"{len(self.submitted)}",
            tiers,
            session=session,
            kind=kind,
            prefix_digest=prefix,
            deadline=None if deadline is None else self.world.now + deadline,
        )
        self.submitted.append(one)
        self.world.submit(one, service=None)
        self.world.decide()

    @rule(data=st.data(), outcome=OUTCOMES, seconds=st.floats(0.0, 5.0))
    def finish(self, data, outcome, seconds):
        if running := self.running():
            name = data.draw(st.sampled_from(running))
            self.world.scheduler.first_token(name, seconds)
            self.world.end(name, outcome)
            self.gone.add(name)
            self.world.decide()

    @rule(data=st.data())
    def cancel(self, data):
        if self.submitted:
            name = data.draw(st.sampled_from([one.id for one in self.submitted]))
            if name in self.running():
                self.world.end(name)
                self.gone.add(name)
            elif name not in self.gone | self.world.refused.keys():
                self.cancelled.add(name)
            self.world.scheduler.cancel(name)
            self.world.decide()

    @rule(backend=st.sampled_from(BACKENDS))
    def pull_or_push_a_plug(self, backend):
        self.world.dead ^= {backend}

    @rule(seconds=st.floats(0.0, 25.0))
    def wait(self, seconds):
        self.world.run(until=self.world.now + seconds)

    def running(self):
        return [one for one in self.world.order if one not in self.gone]

    @invariant()
    def nothing_is_lost_and_nothing_is_there_twice(self):
        shown = self.world.scheduler.snapshot()
        assert sorted(one.id for one in shown.running) == sorted(self.running())
        known = self.gone | self.cancelled | self.world.refused.keys() | set(self.running())
        waiting = [one for one in self.submitted if one.id not in known]
        assert sum(view.count for view in shown.waiting) == len(waiting)
        assert all(view.models for view in shown.waiting)
        for one in waiting:
            place = self.world.scheduler.place_of(one.id)
            assert 1 <= place.position <= len(waiting)
            assert place.seconds >= 0.0
            assert one.deadline is None or one.deadline > self.world.now
        due = self.world.scheduler.next_decision_at()
        assert due is None or due > self.world.now
        assert not self.world.scheduler.probes_due(), "a probe was due and did not go"

    @invariant()
    def no_slot_is_idle_while_something_may_have_it(self):
        shown = self.world.scheduler.snapshot()
        shut = {one.name for one in shown.breakers}
        for backend in shown.backends:
            capacity = self.world.capacities[backend.name]
            running = [one for one in shown.running if Model.of(one.model).backend == backend.name]
            if len(running) >= capacity.slots:
                continue
            wanted, asked = {}, set()
            for view in shown.waiting:
                for model in map(Model.of, view.models):
                    if model.backend == backend.name and not {backend.name, str(model)} & shut:
                        wanted[model] = max(view.seconds, wanted.get(model, 0.0))
                        asked |= {model} if view.kind == "interactive" else set()
            for model in wanted:
                of_model = sum(one.model == str(model) for one in running)
                if of_model < capacity.of_model(model.name):
                    assert capacity.exclusive
                    assert running
                    loaded = Model(backend.name, (backend.loaded or (None,))[0])
                    backend_queues = self.world.scheduler._backend_queues[backend.name]
                    # What runs ends first: then a question to another model is served, or, after
                    # one, the model whose batch work it interrupted.
                    makes_way = loaded not in asked and bool(asked)
                    goes_back = Model(backend.name, backend_queues._interrupted) in wanted
                    assert (
                        model != loaded
                        or makes_way
                        or goes_back
                        or any(
                            seconds >= 20.0 for other, seconds in wanted.items() if other != loaded
                        )
                    )

    def teardown(self):
        """In the end every slot is free, and can be had."""
        scheduler = self.world.scheduler
        for one in self.submitted:
            scheduler.cancel(one.id)
        shown = scheduler.snapshot()
        assert (shown.running, shown.waiting) == ((), ())
        assert all(backend.waiting == backend.running == 0 for backend in shown.backends)
        self.world.dead.clear()
        self.world.run()  # what was wanted of a dead machine is probed, and then all is quiet
        assert scheduler.next_decision_at() is None


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_order_of_events = AnyOrder.TestCase
