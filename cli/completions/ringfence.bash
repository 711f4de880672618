# SPDX-License-Identifier: Apache-2.0
# bash completion for ringfence(8)

_ringfence_ids()
{
	# With the --root of the command line, if there is one.
	local i root=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root) [[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++)); root=(--root "${COMP_WORDS[i + 1]-}") ;;
		esac
	done
	ringfence "${root[@]}" list -q 2>/dev/null
}

_ringfence()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' i positional=0 opts=''
	local verbs='run create start exec kill delete state list ps pause resume update events spec features help'
	local globals='--root --data --store --log --log-format --log-level --debug --systemd-cgroup --cgroup-manager --rootless --criu
		--version --help'
	local create='--bundle --config --console-socket --pidfd-socket --pid-file --no-pivot --no-new-keyring --no-subreaper
		--preserve-fds --help'
	# Options of exec (kill has none) whose next word is their value.
	local valued=' = --process -p --cwd --env -e --user -u --additional-gids -g --cap -c --process-label --apparmor --cgroup --pid-file --console-socket --pidfd-socket --preserve-fds '
	local -A of=(
		[create]=$create
		[run]="$create --detach --keep"
		[start]='--help'
		[exec]='--process --cwd --env --tty --user --additional-gids --cap --no-new-privs --process-label --apparmor
			--cgroup --detach --pid-file --console-socket --pidfd-socket --preserve-fds --ignore-paused --help'
		[kill]='--all --regex --help'
		[delete]='--force --regex --help'
		[state]='--help'
		[list]='--format --quiet --help'
		[ps]='--format --help'
		[pause]='--help'
		[resume]='--help'
		[update]='--resources --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period
			--cpu-rt-runtime --cpu-idle --cpuset-cpus --cpuset-mems --memory --memory-reservation --memory-swap
			--kernel-memory --kernel-memory-tcp --pids-limit --l3-cache-schema --mem-bw-schema --help'
		[events]='--stats --interval --help'
		[spec]='--bundle --file --rootless --help'
		[features]='--help'
	)

	COMPREPLY=()
	# `--opt=VALUE` is three words for readline, where = is a word break.
	if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root | --data | --store | --log | --log-format | --log-level | --cgroup-manager | --rootless | --criu)
			[[ -n $verb ]] || { [[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++)); ((i++)); } ;;
		-* | =) ;;
		*)
			if [[ -z $verb ]]; then verb=${COMP_WORDS[i]}
			elif [[ $valued != *" ${COMP_WORDS[i - 1]} "* ]]; then ((positional++)); fi ;;
		esac
	done

	case $prev in
	--root | --data | --store | --bundle | -b | --cwd) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	--log | --console-socket | --pidfd-socket | --pid-file | --process | -p | --resources | -r | --config | --file | --criu)
		if [[ $prev != -r || $verb == update ]]; then
			compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return
		fi ;;
	--log-format) opts='text json' ;;
	--log-level) opts='error warning info debug' ;;
	--cgroup-manager) opts='cgroupfs systemd disabled' ;;
	--rootless) [[ -n $verb ]] || opts='auto true false' ;;
	--format | -f) [[ $verb == list || $verb == ps ]] && opts='table json' ;;
	--env | -e | --user | -u | --additional-gids | -g | --cap | -c | --cgroup | --preserve-fds | --interval | --process-label | \
		--apparmor | --blkio-weight | --cpu-* | --cpuset-* | --memory* | --kernel-memory* | --pids-limit | --*-schema) return ;;
	esac
	if [[ -z $opts ]]; then
		if [[ -z $verb ]]; then
			opts=$verbs
			[[ $cur != -* ]] || opts=$globals
		elif [[ $cur == -* ]]; then
			opts=${of[$verb]-}
		elif [[ $verb == help ]]; then
			opts=$verbs
		elif [[ $verb == kill && $positional -gt 0 ]]; then
			opts='TERM KILL INT HUP QUIT STOP CONT USR1 USR2 WINCH'
		elif [[ $verb == exec && $positional -gt 0 ]]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			return
		elif [[ " start exec kill delete state ps pause resume update events " == *" $verb "* ]]; then
			opts=$(_ringfence_ids)
		fi
	fi
	mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
}
complete -F _ringfence ringfence
