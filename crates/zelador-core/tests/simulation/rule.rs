//! The rules by name: what always holds of every step, whatever the world does.

/// What did not hold. The first are those of the design, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Never two live processes of one instance.
    OneProcess,
    /// Goal down: no process after its grace and one kill interval.
    DownStaysDown,
    /// Starts in any window stay within the budget of the breaker, its trials and a person's own.
    StartsWithinBudget,
    /// A tick moves the deadline on.
    DeadlinesMoveOn,
    /// Facts of an old run change nothing.
    OldFactsChangeNothing,
    /// A well-behaved app with goal up runs in the end.
    RunsInTheEnd,
    /// What is to end is asked before it is killed, whoever was lost in between.
    AskedBeforeKilled,
    /// An end that was asked for is no death.
    StopsAreNoDeaths,
    /// What ended with zelador or with the host is no death, and is started again.
    EndedWithAll,
    /// Every spawn is recorded first.
    SpawnsAreRecorded,
    /// What began before its record was written is taken over when an engine was lost in between.
    HeirsAreTaken,
    /// What is heard at once changes no instance twice before the first change is recorded.
    ChangesAreRecorded,
    /// State that is rebuilt from records equals the state that wrote them.
    RecordsAgree,
    /// No remedy above its budget, and none again that was refused.
    RemediesWithinBudget,
    /// During a reload somebody is always ready.
    SomebodyIsReady,
    /// At most one open incident of an app and kind of trouble.
    OneOpenIncident,
    /// One incident stands for a database or an app that is down; what waits for it is part of that.
    OneForTheCause,
    /// A death that a check was the first to see is treated once.
    DeathsTreatedOnce,
    /// A dependency that is down costs its dependants no restart.
    DependantsWait,
    /// A model is asked only about what the rules do not know, and once about the same trouble.
    AskedOnce,
    /// What hung is called healed only after it has stayed well for a while.
    HealedHasHeld,
    /// No limit is raised above its ceiling.
    BelowCeilings,
    /// The healer adds no replica above the maximum that was declared.
    GrowsWithinMaximum,
    /// Every command is answered once.
    AnsweredOnce,
    /// No more restarts within `restart_window` than `max_restarts`.
    RestartsWithinWindow,
    /// Nothing begins before what it depends on is as far as its condition says.
    StartsInOrder,
    /// Nothing is asked to end before those that depend on it have.
    StopsInOrder,
    /// One delivery at a time is under way on a channel.
    OneDeliveryAtATime,
    /// No channel gets more than its limit.
    MessagesWithinLimit,
    /// Whoever was told of a beginning is told of the end, and once.
    ToldToTheEnd,
    /// While there is an engine, somebody elsewhere hears of it: one ping at a time, and none is missing.
    Heard,
    /// Until its startup probe was good once, a run is asked nothing else.
    StartupFirst,
    /// A run is unhealthy only after its probe has failed as often as its threshold says.
    SeenOftenEnough,
    /// What dies again and again for no known reason is started later each time.
    OftenIsLater,
    /// What the host had no room for is not started again within a second.
    RoomIsWaitedFor,
    /// What is asked of a run, or takes too long, is left when nobody wants to know any more.
    LooksAreLeft,
    /// A database is asked once at a time.
    OneLookAtATime,
    /// While its breaker is open a database is asked only when a person wants to know.
    OpenIsNotAsked,
    /// A database that fails again and again has an open breaker.
    OpensInTime,
    /// Who asks to be left alone is not asked sooner, unless a person wants to know.
    LeftAlone,
    /// A disk is foretold after ten minutes and before it is full, and what is removed for that is on it, and lacks room.
    DisksAreForetold,
    /// Who has the port of an app is told once, until it is another process.
    HolderToldOnce,
    /// However often a check comes and goes, people hear of it a few times.
    FlappingToldOnce,
}

/// A rule that did not hold, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub what: String,
}

pub fn broken<T>(rule: Rule, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { rule, what: what.into() })
}
