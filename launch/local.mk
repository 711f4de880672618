# launch: living with partitions: from an image to a running one, its record, its supervisor, its network
noinst_LIBRARIES += liblaunch.a
liblaunch_a_SOURCES = \
	launch/config.h launch/ids.h launch/launch.h launch/log.h launch/network.h launch/record.h launch/supervise.h \
	launch/words.c
