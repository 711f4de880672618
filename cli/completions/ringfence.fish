# SPDX-License-Identifier: Apache-2.0
# fish completion for ringfence(8)

function __ringfence_verb
	set -l skip 0
	for word in (commandline -opc)[2..-1]
		if test $skip = 1
			set skip 0
			continue
		end
		switch $word
			case --root --data --store --log --log-format --log-level --cgroup-manager --rootless --criu
				set skip 1
			case '-*'
			case '*'
				echo $word
				return 0
		end
	end
	return 1
end

function __ringfence_in
	contains -- (__ringfence_verb) $argv
end

function __ringfence_partitions
	set -l globals
	set -l words (commandline -opc)
	for i in (seq 2 (count $words))
		if contains -- $words[$i] --root --data
			set -a globals $words[$i] $words[(math $i + 1)]
		end
	end
	ringfence $globals ls -q 2>/dev/null
end

complete -c ringfence -f

# global options
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l root -rF -d 'where state is kept (default /run/ringfence, or $XDG_RUNTIME_DIR/ringfence)'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l data -rF -d 'where launched partitions and volumes are kept'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l store -rF -d 'where images are kept'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l log -rF -d 'where errors are also written: [file:]PATH, journald:ID or syslog:ID'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l log-format -xa 'text json' -d 'of the log: text (default) or json'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l log-level -xa 'error warning info debug' -d 'error (default), warning, info or debug'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l debug -d 'the same as --log-level debug'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l systemd-cgroup -d 'let systemd manage cgroups (--cgroup-manager systemd)'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l cgroup-manager -xa 'cgroupfs systemd disabled' -d 'cgroupfs (default), systemd or disabled'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l rootless -xa 'auto true false' -d 'auto (default), true or false: run without root\'s powers'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -l criu -rF -d 'accepted and ignored, for engines that still pass it'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -s v -l version -d 'print versions and built-in features'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -s h -l help -d 'show this help'

# commands
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a launch -d 'Make a partition out of an image, and run it'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a ls -d 'List launched partitions'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a rm -d 'Remove launched partitions'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a inspect -d 'Show all about partitions or images, as JSON'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a run -d 'Create and start a partition, wait for it, and exit with its status'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a create -d 'Set up a partition, without starting its command'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a start -d 'Run the command of a created partition'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a exec -d 'Run one more command in a partition, and exit with its status'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a kill -d 'Send a signal (default: SIGTERM) to a partition\'s first process'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a delete -d 'Remove a stopped partition'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a state -d 'Print the state of a partition as JSON'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a list -d 'List all partitions'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a ps -d 'Show the processes of a partition'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a logs -d 'Print what a launched partition has said'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a attach -d 'Join our terminal to a launched partition'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a stop -d 'Stop launched partitions'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a restart -d 'Run launched partitions again'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a rename -d 'Give a launched partition another name'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a generate -d 'Print a systemd unit for a launched partition'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a wait -d 'Wait until launched partitions have ended'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a pause -d 'Freeze all processes of a partition'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a resume -d 'Let a paused partition go on'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a update -d 'Change the limits of a living partition'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a events -d 'Print statistics and out-of-memory events as JSON lines'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a spec -d 'Write a config.json to begin with'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a features -d 'Print what this runtime supports as JSON'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a doctor -d 'Tell what this host can do and what is missing'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a cp -d 'Copy files out of a partition or into one'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a port -d 'Tell which ports of the host lead to a partition'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a stats -d 'Show what partitions use: CPU, memory, network, block I/O, pressure'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a top -d 'Show partitions by what they use, or the processes of one'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a commit -d 'Make an image of what a partition has changed'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a volume -d 'List, make, show and remove volumes'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a help -d 'Tell about a command'
complete -c ringfence -n '__ringfence_in help' -a 'logs attach stop restart wait rename generate run create start exec kill delete state list ps pause resume update events spec features doctor'
complete -c ringfence -n '__ringfence_in logs attach stop restart wait rename generate' -a '(ringfence ls --all --quiet 2>/dev/null)' -d partition
complete -c ringfence -n '__ringfence_in start exec kill delete state ps pause resume update events' -a '(ringfence list -q 2>/dev/null)' -d container
complete -c ringfence -n '__ringfence_in kill' -a 'TERM KILL INT HUP QUIT STOP CONT USR1 USR2 WINCH' -d signal

# launch
complete -c ringfence -n '__ringfence_in launch' -l name -x -d 'of the partition (default: one is made up)'
complete -c ringfence -n '__ringfence_in launch' -s d -l detach -d 'return as soon as it runs; a supervisor stays with it'
complete -c ringfence -n '__ringfence_in launch' -s i -l interactive -d 'standard input is joined to it'
complete -c ringfence -n '__ringfence_in launch' -s t -l tty -d 'with a terminal'
complete -c ringfence -n '__ringfence_in launch' -l rm -d 'remove it, and its anonymous volumes, when it has ended'
complete -c ringfence -n '__ringfence_in launch' -l restart -xa 'no on-failure always unless-stopped' -d 'no (default), on-failure[:N], always or unless-stopped'
complete -c ringfence -n '__ringfence_in launch' -l pull -xa 'missing always never' -d 'fetch the image: missing (default), always or never'
complete -c ringfence -n '__ringfence_in launch' -l entrypoint -x -d 'instead of the image\'s; "" for none'
complete -c ringfence -n '__ringfence_in launch' -s e -l env -x -d 'environment variable; without a value: ours'
complete -c ringfence -n '__ringfence_in launch' -l env-file -rF -d 'environment variables, a line each'
complete -c ringfence -n '__ringfence_in launch' -s w -l workdir -x -d 'working directory'
complete -c ringfence -n '__ringfence_in launch' -s u -l user -x -d 'names of the image, or numbers'
complete -c ringfence -n '__ringfence_in launch' -s h -l hostname -x -d 'default: the partition\'s name'
complete -c ringfence -n '__ringfence_in launch' -s v -l volume -rF -d 'a directory of the host, or a volume by its name'
complete -c ringfence -n '__ringfence_in launch' -l mount -x -d 'type=bind|volume|tmpfs, source=, destination=, ...'
complete -c ringfence -n '__ringfence_in launch' -l tmpfs -x -d 'an empty directory in memory'
complete -c ringfence -n '__ringfence_in launch' -l read-only -d 'the root file system cannot be written to'
complete -c ringfence -n '__ringfence_in launch' -l shm-size -x -d 'of /dev/shm (default 64M)'
complete -c ringfence -n '__ringfence_in launch' -l network -xa 'none host bridge pasta' -d 'none, host, bridge[:NAME], pasta or container:NAME (default none; with --publish bridge, or pasta without root)'
complete -c ringfence -n '__ringfence_in launch' -s p -l publish -x -d 'a port, or a range of them'
complete -c ringfence -n '__ringfence_in launch' -l dns -x -d 'name server'
complete -c ringfence -n '__ringfence_in launch' -l add-host -x -d 'a line in /etc/hosts'
complete -c ringfence -n '__ringfence_in launch' -s m -l memory -x -d 'memory limit; -1 for none'
complete -c ringfence -n '__ringfence_in launch' -l memory-swap -x -d 'limit on memory and swap together'
complete -c ringfence -n '__ringfence_in launch' -l cpus -x -d 'processors\' worth of time, such as 1.5'
complete -c ringfence -n '__ringfence_in launch' -l cpuset-cpus -x -d 'processors to run on, such as 0-3,5'
complete -c ringfence -n '__ringfence_in launch' -l pids-limit -x -d 'limit on processes; -1 for none'
complete -c ringfence -n '__ringfence_in launch' -l device -x -d 'a device of the host'
complete -c ringfence -n '__ringfence_in launch' -l cap-add -x -d 'one more, or ALL'
complete -c ringfence -n '__ringfence_in launch' -l cap-drop -x -d 'one less, or ALL'
complete -c ringfence -n '__ringfence_in launch' -l privileged -d 'refused: it says what to use instead'
complete -c ringfence -n '__ringfence_in launch' -l security-opt -x -d 'seccomp=FILE|unconfined, no-new-privileges[=false], apparmor=, label=, mask=, unmask='
complete -c ringfence -n '__ringfence_in launch' -l userns -xa 'auto host' -d 'auto (default), host or UID:SIZE'
complete -c ringfence -n '__ringfence_in launch' -l ulimit -x -d 'resource limit'
complete -c ringfence -n '__ringfence_in launch' -l sysctl -x -d 'kernel parameter of its namespaces'
complete -c ringfence -n '__ringfence_in launch' -l init -d 'a first process that reaps the others'
complete -c ringfence -n '__ringfence_in launch' -l boot -d 'run the image\'s init (systemd), as systemd-nspawn --boot'
complete -c ringfence -n '__ringfence_in launch' -l isolation -xa 'partition sandbox' -d 'partition (default) or sandbox: a kernel of its own'
complete -c ringfence -n '__ringfence_in launch' -l accel -xa 'auto kvm tcg qemu' -d 'of a sandbox: auto (default), kvm, tcg or qemu'
complete -c ringfence -n '__ringfence_in launch' -l stop-signal -x -d 'what stop sends (default: the image\'s, or TERM)'
complete -c ringfence -n '__ringfence_in launch' -l stop-timeout -x -d 'until stop kills (default 10)'
complete -c ringfence -n '__ringfence_in launch' -l log-max -x -d 'of its log before it is rotated; -1 for no limit'
complete -c ringfence -n '__ringfence_in launch' -s l -l label -x -d 'label'
complete -c ringfence -n '__ringfence_in launch' -l annotation -x -d 'annotation in config.json'
complete -c ringfence -n '__ringfence_in launch' -l pid-file -rF -d 'where to write the process id'
complete -c ringfence -n '__ringfence_in launch' -l cidfile -rF -d 'where to write the name'
complete -c ringfence -n '__ringfence_in launch' -l help -d 'show this help'

# ls
complete -c ringfence -n '__ringfence_in ls' -s q -l quiet -d 'names only'
complete -c ringfence -n '__ringfence_in ls' -l running -d 'only those that run (also paused)'
complete -c ringfence -n '__ringfence_in ls' -s f -l filter -x -d 'only those with that name=PATTERN, status=STATUS, image=PATTERN or label=KEY[=VALUE]'
complete -c ringfence -n '__ringfence_in ls' -l format -xa 'table json' -d 'table (default) or json'
complete -c ringfence -n '__ringfence_in ls' -l no-trunc -d 'whole commands and image names'
complete -c ringfence -n '__ringfence_in ls' -s h -l help -d 'show this help'

# rm
complete -c ringfence -n '__ringfence_in rm' -s f -l force -d 'also one that runs (it is killed), and whatever is left of a broken one'
complete -c ringfence -n '__ringfence_in rm' -s v -l volumes -d 'its anonymous volumes too'
complete -c ringfence -n '__ringfence_in rm' -s a -l all -d 'all partitions'
complete -c ringfence -n '__ringfence_in rm' -l format -xa 'text json' -d 'of what is printed'
complete -c ringfence -n '__ringfence_in rm' -s h -l help -d 'show this help'

# inspect
complete -c ringfence -n '__ringfence_in inspect' -l type -xa 'partition image' -d 'partition or image (default: a partition if there is one, else an image)'
complete -c ringfence -n '__ringfence_in inspect' -l format -xa 'json' -d 'json, which is all there is'
complete -c ringfence -n '__ringfence_in inspect' -l platform -x -d 'an index\'s image for this machine'
complete -c ringfence -n '__ringfence_in inspect' -s h -l help -d 'show this help'

complete -c ringfence -n '__ringfence_in rm inspect' -a '(__ringfence_partitions)'
complete -c ringfence -n '__ringfence_in launch' -a '(__ringfence_images)'

# run
complete -c ringfence -n '__ringfence_in run' -s b -l bundle -rF -d 'the bundle (default: the working directory)'
complete -c ringfence -n '__ringfence_in run' -s f -l config -rF -d 'its configuration (default: config.json)'
complete -c ringfence -n '__ringfence_in run' -l console-socket -rF -d 'Unix socket that gets the terminal\'s master'
complete -c ringfence -n '__ringfence_in run' -l pidfd-socket -rF -d 'Unix socket that gets a pidfd of the first process'
complete -c ringfence -n '__ringfence_in run' -l pid-file -rF -d 'where to write the first process\'s pid'
complete -c ringfence -n '__ringfence_in run' -l no-pivot -d 'use MS_MOVE and chroot(2), for a host whose / is a ramdisk'
complete -c ringfence -n '__ringfence_in run' -l no-new-keyring -d 'keep the caller\'s session keyring'
complete -c ringfence -n '__ringfence_in run' -l no-subreaper -d 'do not become the reaper of orphans while attached'
complete -c ringfence -n '__ringfence_in run' -l preserve-fds -x -d 'also hand on descriptors 3 to 3+N-1'
complete -c ringfence -n '__ringfence_in run' -l isolation -xa 'partition sandbox' -d 'partition (default) or sandbox: a kernel of its own'
complete -c ringfence -n '__ringfence_in run' -l accel -xa 'auto kvm tcg qemu' -d 'of a sandbox: auto (default), kvm, tcg or qemu'
complete -c ringfence -n '__ringfence_in run' -s d -l detach -d 'return as soon as the command runs'
complete -c ringfence -n '__ringfence_in run' -l keep -d 'do not delete the partition when it has ended'
complete -c ringfence -n '__ringfence_in run' -s h -l help -d 'show this help'

# create
complete -c ringfence -n '__ringfence_in create' -s b -l bundle -rF -d 'the bundle (default: the working directory)'
complete -c ringfence -n '__ringfence_in create' -s f -l config -rF -d 'its configuration (default: config.json)'
complete -c ringfence -n '__ringfence_in create' -l console-socket -rF -d 'Unix socket that gets the terminal\'s master'
complete -c ringfence -n '__ringfence_in create' -l pidfd-socket -rF -d 'Unix socket that gets a pidfd of the first process'
complete -c ringfence -n '__ringfence_in create' -l pid-file -rF -d 'where to write the first process\'s pid'
complete -c ringfence -n '__ringfence_in create' -l no-pivot -d 'use MS_MOVE and chroot(2), for a host whose / is a ramdisk'
complete -c ringfence -n '__ringfence_in create' -l no-new-keyring -d 'keep the caller\'s session keyring'
complete -c ringfence -n '__ringfence_in create' -l no-subreaper -d 'do not become the reaper of orphans while attached'
complete -c ringfence -n '__ringfence_in create' -l preserve-fds -x -d 'also hand on descriptors 3 to 3+N-1'
complete -c ringfence -n '__ringfence_in create' -l isolation -xa 'partition sandbox' -d 'partition (default) or sandbox: a kernel of its own'
complete -c ringfence -n '__ringfence_in create' -l accel -xa 'auto kvm tcg qemu' -d 'of a sandbox: auto (default), kvm, tcg or qemu'
complete -c ringfence -n '__ringfence_in create' -s h -l help -d 'show this help'

# start
complete -c ringfence -n '__ringfence_in start' -s h -l help -d 'show this help'

# exec
complete -c ringfence -n '__ringfence_in exec' -s p -l process -rF -d 'all about the command: a process object as in config.json'
complete -c ringfence -n '__ringfence_in exec' -l cwd -rF -d 'its working directory'
complete -c ringfence -n '__ringfence_in exec' -s e -l env -x -d 'add to its environment; may be repeated'
complete -c ringfence -n '__ringfence_in exec' -s t -l tty -d 'give it a terminal'
complete -c ringfence -n '__ringfence_in exec' -s u -l user -x -d 'run it as this user'
complete -c ringfence -n '__ringfence_in exec' -s g -l additional-gids -x -d 'add a group; may be repeated'
complete -c ringfence -n '__ringfence_in exec' -s c -l cap -x -d 'add a capability; may be repeated'
complete -c ringfence -n '__ringfence_in exec' -l no-new-privs -d 'keep it from gaining privileges by execve(2)'
complete -c ringfence -n '__ringfence_in exec' -l process-label -x -d 'its SELinux label'
complete -c ringfence -n '__ringfence_in exec' -l apparmor -x -d 'its AppArmor profile'
complete -c ringfence -n '__ringfence_in exec' -l cgroup -x -d 'run it in this sub-cgroup; may be repeated'
complete -c ringfence -n '__ringfence_in exec' -s d -l detach -d 'return as soon as the command runs'
complete -c ringfence -n '__ringfence_in exec' -l pid-file -rF -d 'where to write its pid'
complete -c ringfence -n '__ringfence_in exec' -l console-socket -rF -d 'Unix socket that gets the terminal\'s master'
complete -c ringfence -n '__ringfence_in exec' -l pidfd-socket -rF -d 'Unix socket that gets a pidfd of the command'
complete -c ringfence -n '__ringfence_in exec' -l preserve-fds -x -d 'also hand on descriptors 3 to 3+N-1'
complete -c ringfence -n '__ringfence_in exec' -l ignore-paused -d 'in a paused partition: wait until it goes on, instead of failing'
complete -c ringfence -n '__ringfence_in exec' -s h -l help -d 'show this help'

# kill
complete -c ringfence -n '__ringfence_in kill' -s a -l all -d 'signal every process; one that is not running is no error'
complete -c ringfence -n '__ringfence_in kill' -s r -l regex -d 'CONTAINER is a regular expression: all that match'
complete -c ringfence -n '__ringfence_in kill' -s h -l help -d 'show this help'

# delete
complete -c ringfence -n '__ringfence_in delete' -s f -l force -d 'kill what still runs; an unknown CONTAINER is no error'
complete -c ringfence -n '__ringfence_in delete' -s r -l regex -d 'CONTAINER is a regular expression: all that match'
complete -c ringfence -n '__ringfence_in delete' -s h -l help -d 'show this help'

# state
complete -c ringfence -n '__ringfence_in state' -s h -l help -d 'show this help'

# list
complete -c ringfence -n '__ringfence_in list' -s f -l format -xa 'table json' -d 'table (default) or json'
complete -c ringfence -n '__ringfence_in list' -s q -l quiet -d 'ids only'
complete -c ringfence -n '__ringfence_in list' -s h -l help -d 'show this help'

# ps
complete -c ringfence -n '__ringfence_in ps' -s f -l format -xa 'table json' -d 'table (default) or json'
complete -c ringfence -n '__ringfence_in ps' -s h -l help -d 'show this help'

# pause
complete -c ringfence -n '__ringfence_in pause' -s h -l help -d 'show this help'

# resume
complete -c ringfence -n '__ringfence_in resume' -s h -l help -d 'show this help'

# update
complete -c ringfence -n '__ringfence_in update' -s r -l resources -rF -d 'linux.resources as JSON; - is standard input; options below override it'
complete -c ringfence -n '__ringfence_in update' -l blkio-weight -x -d 'share of block I/O, 10 to 1000'
complete -c ringfence -n '__ringfence_in update' -l cpu-period -x -d 'period of the CPU quota'
complete -c ringfence -n '__ringfence_in update' -l cpu-quota -x -d 'CPU time in a period; -1: no limit'
complete -c ringfence -n '__ringfence_in update' -l cpu-burst -x -d 'quota that may be saved up'
complete -c ringfence -n '__ringfence_in update' -l cpu-share -x -d 'share of CPU time, 2 to 262144'
complete -c ringfence -n '__ringfence_in update' -l cpu-rt-period -x -d 'period of the real-time quota'
complete -c ringfence -n '__ringfence_in update' -l cpu-rt-runtime -x -d 'real-time CPU time in a period'
complete -c ringfence -n '__ringfence_in update' -l cpu-idle -x -d '1: run only when nobody else wants to'
complete -c ringfence -n '__ringfence_in update' -l cpuset-cpus -x -d 'CPUs that may be used, such as 0-3,7'
complete -c ringfence -n '__ringfence_in update' -l cpuset-mems -x -d 'memory nodes that may be used'
complete -c ringfence -n '__ringfence_in update' -l memory -x -d 'limit of memory'
complete -c ringfence -n '__ringfence_in update' -l memory-reservation -x -d 'memory that is spared under pressure'
complete -c ringfence -n '__ringfence_in update' -l memory-swap -x -d 'limit of memory and swap together'
complete -c ringfence -n '__ringfence_in update' -l kernel-memory -x -d 'accepted and ignored: kernels have no such limit any more'
complete -c ringfence -n '__ringfence_in update' -l kernel-memory-tcp -x -d 'limit of TCP buffers (cgroup v1)'
complete -c ringfence -n '__ringfence_in update' -l pids-limit -x -d 'number of processes and threads; -1: no limit'
complete -c ringfence -n '__ringfence_in update' -l l3-cache-schema -x -d 'Intel RDT: L3 cache'
complete -c ringfence -n '__ringfence_in update' -l mem-bw-schema -x -d 'Intel RDT: memory bandwidth'
complete -c ringfence -n '__ringfence_in update' -s h -l help -d 'show this help'

# events
complete -c ringfence -n '__ringfence_in events' -l stats -d 'print the statistics once and return'
complete -c ringfence -n '__ringfence_in events' -l interval -x -d 'between statistics: 500ms, 1m30s, … (default 5s)'
complete -c ringfence -n '__ringfence_in events' -s h -l help -d 'show this help'

# spec
complete -c ringfence -n '__ringfence_in spec' -s b -l bundle -rF -d 'where to write it (default: the working directory)'
complete -c ringfence -n '__ringfence_in spec' -s f -l file -rF -d 'its name (default: config.json)'
complete -c ringfence -n '__ringfence_in spec' -l rootless -d 'for a user who is not root: map the caller to root'
complete -c ringfence -n '__ringfence_in spec' -s h -l help -d 'show this help'

# features
complete -c ringfence -n '__ringfence_in features' -s h -l help -d 'show this help'

# doctor
complete -c ringfence -n '__ringfence_in doctor' -l format -x -a 'text json' -d 'text (default) or json'
complete -c ringfence -n '__ringfence_in doctor' -s h -l help -d 'show this help'

# port
complete -c ringfence -n '__ringfence_in help' -a 'port'
complete -c ringfence -n '__ringfence_in port' -a '(ringfence list -q 2>/dev/null)' -d container
complete -c ringfence -n '__ringfence_in port' -l format -x -a 'text json' -d 'of the output'
complete -c ringfence -n '__ringfence_in port' -s h -l help -d 'show this help'

# cp
complete -c ringfence -n '__ringfence_in help' -a 'cp'
complete -c ringfence -n '__ringfence_in cp' -s a -l archive -d 'keep owners and file capabilities'
complete -c ringfence -n '__ringfence_in cp' -s L -l follow-link -d 'copy what a symlink given as the source leads to'
complete -c ringfence -n '__ringfence_in cp' -l overwrite -d 'let a directory take the place of a file, and the other way round'
complete -c ringfence -n '__ringfence_in cp' -s q -l quiet -d 'say nothing about devices and sockets that were left out'
complete -c ringfence -n '__ringfence_in cp' -s h -l help -d 'show this help'

# logs
complete -c ringfence -n '__ringfence_in logs' -s f -l follow -d 'go on until it ends'
complete -c ringfence -n '__ringfence_in logs' -s n -l tail -x -d 'only the last lines'
complete -c ringfence -n '__ringfence_in logs' -l since -x -d 'lines from then on'
complete -c ringfence -n '__ringfence_in logs' -l until -x -d 'lines up to then'
complete -c ringfence -n '__ringfence_in logs' -s t -l timestamps -d 'with times'
complete -c ringfence -n '__ringfence_in logs' -l format -xa 'text json' -d 'of the lines'
complete -c ringfence -n '__ringfence_in logs' -s h -l help -d 'show this help'

# attach
complete -c ringfence -n '__ringfence_in attach' -l no-stdin -d 'only show its output'
complete -c ringfence -n '__ringfence_in attach' -l sig-proxy -d 'pass on signals (default; =false: do not)'
complete -c ringfence -n '__ringfence_in attach' -l detach-keys -x -d 'what to type to leave it running'
complete -c ringfence -n '__ringfence_in attach' -s h -l help -d 'show this help'

# stop
complete -c ringfence -n '__ringfence_in stop' -s t -l time -x -d 'seconds until SIGKILL'
complete -c ringfence -n '__ringfence_in stop' -s a -l all -d 'all that run'
complete -c ringfence -n '__ringfence_in stop' -l format -xa 'text json' -d 'of what is printed'
complete -c ringfence -n '__ringfence_in stop' -s h -l help -d 'show this help'

# restart
complete -c ringfence -n '__ringfence_in restart' -s t -l time -x -d 'seconds until SIGKILL'
complete -c ringfence -n '__ringfence_in restart' -s a -l all -d 'all that run'
complete -c ringfence -n '__ringfence_in restart' -l format -xa 'text json' -d 'of what is printed'
complete -c ringfence -n '__ringfence_in restart' -s h -l help -d 'show this help'

# rename
complete -c ringfence -n '__ringfence_in rename' -l format -xa 'text json' -d 'of what is printed'
complete -c ringfence -n '__ringfence_in rename' -s h -l help -d 'show this help'

# generate
complete -c ringfence -n '__ringfence_in generate' -a systemd
complete -c ringfence -n '__ringfence_in generate' -l files -d 'write it here'
complete -c ringfence -n '__ringfence_in generate' -l restart-policy -xa 'no always on-success on-failure on-abnormal on-abort on-watchdog' -d 'what systemd does at its end'
complete -c ringfence -n '__ringfence_in generate' -l format -xa 'text json' -d 'of what is printed'
complete -c ringfence -n '__ringfence_in generate' -s h -l help -d 'show this help'

# wait
complete -c ringfence -n '__ringfence_in wait' -l format -xa 'text json' -d 'of what is printed'
complete -c ringfence -n '__ringfence_in wait' -s h -l help -d 'show this help'

# stats
complete -c ringfence -n '__ringfence_in stats' -a '(ringfence list -q 2>/dev/null)' -d partition
complete -c ringfence -n '__ringfence_in help' -a 'stats'
complete -c ringfence -n '__ringfence_in stats' -s a -l all -d 'those that do not run, too'
complete -c ringfence -n '__ringfence_in stats' -l no-stream -d 'print them once and return'
complete -c ringfence -n '__ringfence_in stats' -s i -l interval -x -d 'between two prints: 500ms, 5s, … (default 1s)'
complete -c ringfence -n '__ringfence_in stats' -l format -xa 'table json' -d 'table (default) or json'
complete -c ringfence -n '__ringfence_in stats' -l json -d 'the same as --format json'
complete -c ringfence -n '__ringfence_in stats' -s h -l help -d 'show this help'

# top
complete -c ringfence -n '__ringfence_in top' -a '(ringfence list -q 2>/dev/null)' -d partition
complete -c ringfence -n '__ringfence_in help' -a 'top'
complete -c ringfence -n '__ringfence_in top' -s i -l interval -x -d 'between two looks: 500ms, 5s, … (default 1s)'
complete -c ringfence -n '__ringfence_in top' -l format -xa 'table json' -d 'of what is printed'
complete -c ringfence -n '__ringfence_in top' -s h -l help -d 'show this help'

# commit
complete -c ringfence -n '__ringfence_in commit' -a '(ringfence list -q 2>/dev/null)' -d partition
complete -c ringfence -n '__ringfence_in help' -a 'commit'
complete -c ringfence -n '__ringfence_in commit' -s m -l message -x -d 'for the history of the image'
complete -c ringfence -n '__ringfence_in commit' -s a -l author -x -d 'who made it'
complete -c ringfence -n '__ringfence_in commit' -s c -l change -x -d 'of a Dockerfile, such as "CMD /bin/sh"; may be repeated'
complete -c ringfence -n '__ringfence_in commit' -s p -l pause -d 'pause it meanwhile (default; =false: do not)'
complete -c ringfence -n '__ringfence_in commit' -s s -l squash -d 'refused: layers below are shared with the image it is of'
complete -c ringfence -n '__ringfence_in commit' -s q -l quiet -d 'only the digest'
complete -c ringfence -n '__ringfence_in commit' -l format -xa 'text json' -d 'of what is printed'
complete -c ringfence -n '__ringfence_in commit' -s h -l help -d 'show this help'

# volume
complete -c ringfence -n '__ringfence_in volume' -xa 'ls create inspect rm prune'
complete -c ringfence -n '__ringfence_in help' -a 'volume'
complete -c ringfence -n '__ringfence_in volume' -l format -xa 'table json' -d 'ls: table (default) or json'
complete -c ringfence -n '__ringfence_in volume' -s q -l quiet -d 'ls: names only'
complete -c ringfence -n '__ringfence_in volume' -s l -l label -d 'KEY=VALUE         create: a label; may be repeated'
complete -c ringfence -n '__ringfence_in volume' -s f -l force -d 'rm: one that is not there is no error; prune: do not ask'
complete -c ringfence -n '__ringfence_in volume' -s a -l all -d 'prune: those that have a name of their own, too'
complete -c ringfence -n '__ringfence_in volume' -s h -l help -d 'show this help'

# --- images
function __ringfence_images
	ringfence images --noheading 2>/dev/null | awk '$1 != "<none>" {print $1 ($2 == "<none>" ? "" : ":" $2)}'
end

complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a images -d 'List images'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a history -d 'Show how an image came to be'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a tag -d 'Give an image more names'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a untag -d 'Take names away from an image'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a rmi -d 'Remove images'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a prune -d 'Remove what is not needed'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a du -d 'Show what images take, and what could be had back'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a store -d 'Check the image store for damage'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a login -d 'Log in to a registry'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a logout -d 'Log out of a registry'
complete -c ringfence -n '__ringfence_in help' -a 'images history tag untag rmi prune du store login logout'
complete -c ringfence -n '__ringfence_in images inspect history tag untag rmi' -a '(__ringfence_images)' -d image
complete -c ringfence -n '__ringfence_in store' -a check

# images
complete -c ringfence -n '__ringfence_in images' -l format -xa 'table json' -d 'table (default) or json'
complete -c ringfence -n '__ringfence_in images' -s f -l filter -x -d 'only those with dangling=BOOL, reference=PATTERN or label=KEY[=VALUE]; may be repeated'
complete -c ringfence -n '__ringfence_in images' -s q -l quiet -d 'ids only'
complete -c ringfence -n '__ringfence_in images' -l digests -d 'with the digests of manifests'
complete -c ringfence -n '__ringfence_in images' -s a -l all -d 'also an index\'s images for other machines'
complete -c ringfence -n '__ringfence_in images' -l no-trunc -d 'whole ids'
complete -c ringfence -n '__ringfence_in images' -s n -l noheading -d 'without the line of headings'
complete -c ringfence -n '__ringfence_in images' -s h -l help -d 'show this help'

# history
complete -c ringfence -n '__ringfence_in history' -l format -xa 'table json' -d 'table (default) or json'
complete -c ringfence -n '__ringfence_in history' -l no-trunc -d 'whole ids and commands'
complete -c ringfence -n '__ringfence_in history' -s q -l quiet -d 'ids only'
complete -c ringfence -n '__ringfence_in history' -s h -l help -d 'show this help'

# tag
complete -c ringfence -n '__ringfence_in tag' -s h -l help -d 'show this help'

# untag
complete -c ringfence -n '__ringfence_in untag' -s h -l help -d 'show this help'

# rmi
complete -c ringfence -n '__ringfence_in rmi' -s f -l force -d 'also an image that a partition uses, or has several names, by its id; one that is not there is no error'
complete -c ringfence -n '__ringfence_in rmi' -s a -l all -d 'all images'
complete -c ringfence -n '__ringfence_in rmi' -s h -l help -d 'show this help'

# bench
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a bench -d 'Measure partitions and sandboxes against other designs'
complete -c ringfence -n '__ringfence_in help' -a bench
complete -c ringfence -n '__ringfence_in bench' -a 'start exec density scale overhead all compare plan clean report'
complete -c ringfence -n '__ringfence_in bench' -l design -x -d 'which, or all'
complete -c ringfence -n '__ringfence_in bench' -l count -x -d 'rounds'
complete -c ringfence -n '__ringfence_in bench' -l warmup -x -d 'rounds before that, which do not count'
complete -c ringfence -n '__ringfence_in bench' -l concurrency -x -d 'how many starts at once, besides one at a time'
complete -c ringfence -n '__ringfence_in bench' -l payload -x -d 'of density: idle, web or both'
complete -c ringfence -n '__ringfence_in bench' -l memory-limit -x -d 'density and scale stop when a design has taken so much'
complete -c ringfence -n '__ringfence_in bench' -l reserve -x -d 'and when so little is available'
complete -c ringfence -n '__ringfence_in bench' -l settle -x -d 'density: from a start to a reading'
complete -c ringfence -n '__ringfence_in bench' -l guest-memory -x -d 'of a virtual machine'
complete -c ringfence -n '__ringfence_in bench' -l timeout -x -d 'for a start'
complete -c ringfence -n '__ringfence_in bench' -l pin -x -d 'run all of it on these processors, as 0,2-3'
complete -c ringfence -n '__ringfence_in bench' -l out -rF -d 'where results are written'
complete -c ringfence -n '__ringfence_in bench' -l work -rF -d 'where instances and their files live meanwhile'
complete -c ringfence -n '__ringfence_in bench' -l runtime -rF -d 'the ringfence to measure'
complete -c ringfence -n '__ringfence_in bench' -l kernel -rF -d 'for guests'
complete -c ringfence -n '__ringfence_in bench' -l threshold -x -d 'compare: smaller differences are none'
complete -c ringfence -n '__ringfence_in bench' -l relative -d 'compare: the ratios to the first design, not the figures'
complete -c ringfence -n '__ringfence_in bench' -l instances -x -d 'plan: how many are wanted'
complete -c ringfence -n '__ringfence_in bench' -l memory -x -d 'plan: of the host'
complete -c ringfence -n '__ringfence_in bench' -l quiet -d 'no progress, no tables'
complete -c ringfence -n '__ringfence_in bench' -s h -l help -d 'show this help'

# prune
complete -c ringfence -n '__ringfence_in prune' -s a -l all -d 'also images with names that no partition uses'
complete -c ringfence -n '__ringfence_in prune' -l dry-run -d 'only say what would be removed'
complete -c ringfence -n '__ringfence_in prune' -s f -l force -d 'do not ask, even on a terminal'
complete -c ringfence -n '__ringfence_in prune' -s h -l help -d 'show this help'

# du
complete -c ringfence -n '__ringfence_in du' -l format -xa 'table json' -d 'table (default) or json'
complete -c ringfence -n '__ringfence_in du' -s h -l help -d 'show this help'

# store
complete -c ringfence -n '__ringfence_in store' -l repair -d 'check: remove what is damaged, and names that lead nowhere then'
complete -c ringfence -n '__ringfence_in store' -s h -l help -d 'show this help'

# login
complete -c ringfence -n '__ringfence_in login' -l authfile -rF -d 'where they are kept (default $REGISTRY_AUTH_FILE, or $XDG_RUNTIME_DIR/containers/auth.json)'
complete -c ringfence -n '__ringfence_in login' -s u -l username -x -d 'instead of asking for it'
complete -c ringfence -n '__ringfence_in login' -l password-stdin -d 'read the password from standard input, instead of asking for it'
complete -c ringfence -n '__ringfence_in login' -l cert-dir -rF -d 'certificates (default /etc/containers/certs.d/HOST)'
complete -c ringfence -n '__ringfence_in login' -l tls-verify -d '=false: http, or TLS with any certificate'
complete -c ringfence -n '__ringfence_in login' -l registries-conf -rF -d 'instead of /etc/containers/registries.conf'
complete -c ringfence -n '__ringfence_in login' -s h -l help -d 'show this help'

# logout
complete -c ringfence -n '__ringfence_in logout' -l authfile -rF -d 'where they are kept (default $REGISTRY_AUTH_FILE, or $XDG_RUNTIME_DIR/containers/auth.json)'
complete -c ringfence -n '__ringfence_in logout' -s a -l all -d 'for all registries'
complete -c ringfence -n '__ringfence_in logout' -s h -l help -d 'show this help'

complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a load -d 'Put the images of an archive or directory into the store'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a save -d 'Write images to an archive or directory'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a import -d 'Make an image of a root file system'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a prepare -d 'Make an image ready to be started from'
complete -c ringfence -n '__ringfence_in help' -a 'prepare'
complete -c ringfence -n 'not __ringfence_verb >/dev/null' -a pull -d 'Fetch an image from a registry'
complete -c ringfence -n '__ringfence_in help' -a 'import load pull save'

# load
complete -c ringfence -n '__ringfence_in load' -s i -l input -rF -d 'an oci-archive, docker-archive or OCI layout directory (default: standard input)'
complete -c ringfence -n '__ringfence_in load' -s q -l quiet -d 'only the digests'
complete -c ringfence -n '__ringfence_in load' -s h -l help -d 'show this help'

# save
complete -c ringfence -n '__ringfence_in save' -s o -l output -rF -d 'a file or directory (default: standard output)'
complete -c ringfence -n '__ringfence_in save' -l format -xa 'oci-archive docker-archive oci-dir' -d 'oci-archive (default), docker-archive or oci-dir'
complete -c ringfence -n '__ringfence_in save' -s q -l quiet -d 'show nothing'
complete -c ringfence -n '__ringfence_in save' -s q -l quiet -d 'show nothing'
complete -c ringfence -n '__ringfence_in save' -s h -l help -d 'show this help'

# import
complete -c ringfence -n '__ringfence_in import' -s c -l change -x -d 'of a Dockerfile: CMD, ENTRYPOINT, ENV, USER, WORKDIR, LABEL, EXPOSE, VOLUME or STOPSIGNAL'
complete -c ringfence -n '__ringfence_in import' -s m -l message -x -d 'for the history'
complete -c ringfence -n '__ringfence_in import' -l author -x -d 'who made it'
complete -c ringfence -n '__ringfence_in import' -l compression -xa 'zstd gzip none' -d 'zstd (default), gzip or none'
complete -c ringfence -n '__ringfence_in import' -l exclude -x -d 'leave out what has such a path or name'
complete -c ringfence -n '__ringfence_in import' -l from-host -d 'the root file system of this host'
complete -c ringfence -n '__ringfence_in import' -l include-mount -rF -d 'also what is mounted there'
complete -c ringfence -n '__ringfence_in import' -s q -l quiet -d 'only the digest'
complete -c ringfence -n '__ringfence_in import' -s h -l help -d 'show this help'

# prepare
complete -c ringfence -n '__ringfence_in prepare' -l pull -xa 'missing always never' -d 'missing (default), always or never'
complete -c ringfence -n '__ringfence_in prepare' -l format -xa 'dir erofs' -d 'what layers are mounted from: dir (default), or erofs'
complete -c ringfence -n '__ringfence_in prepare' -l root-image -d 'also make an EROFS image of the whole root file system, for sandboxes'
complete -c ringfence -n '__ringfence_in prepare' -l platform -x -d 'for another machine than this'
complete -c ringfence -n '__ringfence_in prepare' -l creds -x -d 'instead of those in auth files'
complete -c ringfence -n '__ringfence_in prepare' -l authfile -rF -d 'credentials (default $REGISTRY_AUTH_FILE, see login)'
complete -c ringfence -n '__ringfence_in prepare' -l cert-dir -rF -d 'certificates (default /etc/containers/certs.d/HOST)'
complete -c ringfence -n '__ringfence_in prepare' -l tls-verify -d '=false: http, or TLS with any certificate'
complete -c ringfence -n '__ringfence_in prepare' -l registries-conf -rF -d 'instead of /etc/containers/registries.conf'
complete -c ringfence -n '__ringfence_in prepare' -s q -l quiet -d 'only the digest'
complete -c ringfence -n '__ringfence_in prepare' -s h -l help -d 'show this help'

# pull
complete -c ringfence -n '__ringfence_in pull' -l platform -x -d 'for another machine than this'
complete -c ringfence -n '__ringfence_in pull' -s a -l all-platforms -d 'all images of a list, not only this machine\'s'
complete -c ringfence -n '__ringfence_in pull' -l creds -x -d 'instead of those in auth files'
complete -c ringfence -n '__ringfence_in pull' -l authfile -rF -d 'credentials (default $REGISTRY_AUTH_FILE, see login)'
complete -c ringfence -n '__ringfence_in pull' -l cert-dir -rF -d 'certificates (default /etc/containers/certs.d/HOST)'
complete -c ringfence -n '__ringfence_in pull' -l tls-verify -d '=false: http, or TLS with any certificate'
complete -c ringfence -n '__ringfence_in pull' -l registries-conf -rF -d 'instead of /etc/containers/registries.conf'
complete -c ringfence -n '__ringfence_in pull' -l policy -xa 'always missing' -d 'always (default) or missing: only if it is not in the store'
complete -c ringfence -n '__ringfence_in pull' -l unpack -d 'also unpack it'
complete -c ringfence -n '__ringfence_in pull' -l parallel -x -d 'layers at once (default 3)'
complete -c ringfence -n '__ringfence_in pull' -l retry -x -d 'tries after one that failed (default 5)'
complete -c ringfence -n '__ringfence_in pull' -l timeout -x -d 'without a sign of the registry (default 60)'
complete -c ringfence -n '__ringfence_in pull' -s q -l quiet -d 'only the digest'
complete -c ringfence -n '__ringfence_in pull' -s h -l help -d 'show this help'
